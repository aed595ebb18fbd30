"""Making: from a row of the plan to a finished row of the dataset, by whatever makes the image."""
