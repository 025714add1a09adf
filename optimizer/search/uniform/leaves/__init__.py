"""Nodes decided exactly: few courses joined and valued, days chosen by an integer programme.

Enter: a node with its candidates and the value that it has to exceed. Whoever splits nodes decides
which come here; nothing here knows the tree.
"""
