from hypothesis import settings

# The first call into scipy takes longer than Hypothesis' default deadline, and a busy machine more so.
settings.register_profile("no-deadline", deadline=None, max_examples=50)
settings.load_profile("no-deadline")
