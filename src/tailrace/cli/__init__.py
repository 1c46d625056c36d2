"""Room: cli.

Knows: the commands, the terminal (data to stdout, everything else to stderr), exit codes, Ctrl-C.
Does not know: wire formats, sockets, how an answer is carried; it puts the other rooms together.
May import: client, server, config, engine, simulator, demo and inward, inside the command that needs them; typer.
Start reading at: main.py, then ask.py and answer.py; compose.py for the server.
"""
