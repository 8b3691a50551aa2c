"""Floor 9: what a fit, a comparison, a scoring is for a user: read, choose, fit, judge, write.

Functions here return values and tell events (`tacit.workflow.events`); none of them prints, and all may run in several
threads at once. What needs JAX or scikit-learn is imported when it is first used, so that a fault in a request is told
before.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
