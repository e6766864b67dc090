"""A page to click: tasks with their rows, runs with their curves, arms side by side. A Gradio app, here or as a Space.

What people type goes to processes of their own (`worker`), which have a limit of time and of memory. What these look up
stands in `rows`, `answers`, `codings`, `runs` and `take_along`, none of which knows Gradio. `page` is the app, and
`publish` puts it on the Hub. What is accepted from strangers stands in `limits`.
"""
