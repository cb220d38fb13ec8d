"""The Kubernetes API of the embedded cluster: kinds, admission, patches and the HTTP server."""
