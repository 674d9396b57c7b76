def measure(environ): return ""
