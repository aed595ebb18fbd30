"""Reading datasets: ours in any format, anybody's Parquet files and image folders, plain folders of fingerprints."""
