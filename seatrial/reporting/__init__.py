"""Reports drawn from a run record: text for the terminal, JUnit XML, Markdown and one HTML page.

Nothing here judges. What a report says about a check is the recorded verdict, and every number in a picture
comes from the recorded ledger or timeline.
"""
