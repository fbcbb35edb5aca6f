"""The two evaluations of the U-GAT-IT article: KID in its protocol, and votes.

`kid_protocol` compares distributions. A preference study asks people: `from_arrays` or
`read_folder`, a `Study`, `serve`, then `results`, `plot.preferences` and `export_csv`;
without a notebook `python -m gan_lib.study`.

The page is served by Tornado, which every Jupyter kernel already runs on, also in
Colab: nothing is installed for it, and no build step, account or other host is
involved.
"""

from gan_lib.study.agreement import (
    Agreement,
    bootstrap_shares,
    fleiss_kappa,
    wilson_interval,
)
from gan_lib.study.kid_protocol import BlockKID, kid_protocol
from gan_lib.study.pictures import Pictures, from_arrays, read_folder, write_folder
from gan_lib.study.plan import Study
from gan_lib.study.results import Results, Share, export_csv, results
from gan_lib.study.server import NotInstalled, Server, serve
from gan_lib.study.votes import Vote, Votes, read_votes

__all__ = [
    "Agreement",
    "BlockKID",
    "NotInstalled",
    "Pictures",
    "Results",
    "Server",
    "Share",
    "Study",
    "Vote",
    "Votes",
    "bootstrap_shares",
    "export_csv",
    "fleiss_kappa",
    "from_arrays",
    "kid_protocol",
    "read_folder",
    "read_votes",
    "results",
    "serve",
    "wilson_interval",
    "write_folder",
]
