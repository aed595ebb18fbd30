"""What a person can put right. Everything else is a bug and keeps its traceback."""


class UserError(Exception):
    """A mistake in a recipe, an option, a file or a folder; the message is one clear line. Exit code 2."""


class DamagedFile(UserError):
    """A file that exists and cannot be read as what it says it is (weights, shard, image)."""
