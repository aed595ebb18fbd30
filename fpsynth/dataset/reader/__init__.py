"""Reading datasets: ours in any format, anybody's Parquet files, image folders and tars, folders of fingerprints."""
