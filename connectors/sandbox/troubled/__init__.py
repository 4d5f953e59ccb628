"""A world of its own in which every starter rule has something to find, and ordinary noise everywhere else.

``truth`` says what is wrong where and when, ``plan`` draws it, ``courses`` turns it into weekly levels, ``world`` into
tickets, surveys, contacts and outages.
"""
