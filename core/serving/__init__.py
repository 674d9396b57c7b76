"""How the application is served: what a server is told of this machine and deployment, and how it logs."""
