"""What the pack stage writes: TFRecord, tar and zip shards, dataset.json."""
