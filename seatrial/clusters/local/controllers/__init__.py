"""The controllers of the embedded cluster: what turns wishes in the store into pods, endpoints and statuses.

One file a controller; what it decides is in pure functions, beside it where they are many. They are told of
changes and wait for nothing else but the times that Kubernetes itself waits for.
"""
