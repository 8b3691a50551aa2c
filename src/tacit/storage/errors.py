"""What is said when a stored file or folder cannot be used."""


class ModelFileError(ValueError):
    """A stored model, checkpoint or run cannot be read, or is not one. The message says what to do."""
