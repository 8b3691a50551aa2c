"""What is wrong with a request, as opposed to what is wrong with the data or a model's file."""


class RequestError(Exception):
    """What was asked for does not exist or does not go together; says what would."""


class AlreadyFinished(Exception):
    """There is nothing to go on with: the run that was to be resumed has its model."""
