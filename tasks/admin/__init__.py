"""The line's tables, to look at. Rows here are evidence or are written by hot functions many times a second, so nothing
is added, edited or removed by hand; what may be done to a job from here is done by its acts.
"""

from tasks.admin import jobs, links, queue, standing, work

__all__ = ["jobs", "links", "queue", "standing", "work"]
