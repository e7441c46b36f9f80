"""Who is offered what, and why not.  Pure."""
