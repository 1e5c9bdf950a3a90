"""What a test says of the kinds that it is about."""


def needs(*verbs):
    """Only for kinds that have these methods."""
    def mark(function):
        function.needs = verbs
        return function
    return mark
