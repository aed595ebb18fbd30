"""Reader: what an image looks like in the words of the slots, also of an image that is still noisy."""
