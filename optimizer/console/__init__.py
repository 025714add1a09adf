"""What commands of the command line share, and the groups that stand apart.

Enter: options, arguments, what an engine answered. A room for click: options of several commands,
messages, exit codes, what is printed where. It knows `cli.py` no more than other rooms do, and
nothing of how an answer is found; heavy libraries are imported by the commands that need them.
"""
