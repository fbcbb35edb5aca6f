"""Work in children: results in order, and one bad task costs only itself."""

import os
import signal
import time

import pytest
from crashing_work import slow_square, work

from data_prep import workers
from data_prep.workers import Failure


def run(tasks, **options):
    return list(workers.run(work, tasks, **options))


def test_results_come_in_order_with_any_number_of_workers():
    tasks = [("square", value) for value in range(40)]
    expected = [(task, task[1] ** 2) for task in tasks]
    assert run(tasks, workers=1) == expected
    assert run(tasks, workers=3) == expected


def test_a_bad_task_costs_only_itself():
    kinds = ["square", "crash", "unusable", "hang", "fill", "square", "square"]
    tasks = [(kind, number) for number, kind in enumerate(kinds)]
    results = [result for _, result in run(tasks, workers=2, deadline_s=2)]
    assert results[0] == 0
    assert results[5:] == [25, 36]
    assert "exit code -11" in results[1].reason
    assert results[2] == Failure("broken: on purpose")
    assert results[3] == Failure("too slow: it took more than 2 s")
    assert "not enough memory" in results[4].reason


def test_a_fault_of_ours_is_not_blamed_on_the_picture():
    with pytest.raises(KeyError, match="a fault of ours"):
        run([("fault", 0)], workers=1)


def test_tasks_are_taken_only_as_fast_as_they_are_done():
    taken = []

    def tasks():
        for value in range(100):
            taken.append(value)
            yield value

    results = workers.run(slow_square, tasks(), workers=1)
    next(results)
    assert len(taken) < 10
    results.close()


def test_no_child_outlives_a_run_that_is_left_early():
    results = workers.run(_pid, range(50), workers=2)
    pids = {next(results)[1] for _ in range(4)}
    results.close()
    for _ in range(100):
        if not any(_alive(pid) for pid in pids):
            break
        time.sleep(0.05)
    assert not any(_alive(pid) for pid in pids)


def _pid(_):
    return os.getpid()


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.slow
def test_cluster_gives_the_same_though_a_worker_is_killed():
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    local = list(workers.run(slow_square, range(200), workers=1))
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        results = workers.run(
            slow_square, range(200), workers=cluster.scheduler_address
        )
        found = [next(results) for _ in range(20)]
        victim = next(iter(cluster.workers.values()))
        os.kill(victim.pid, signal.SIGKILL)
        found += list(results)
    assert found == local
