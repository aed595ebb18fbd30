"""The knobs of a model, one file each: settings made by real runs, and measured."""
