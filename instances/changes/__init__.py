"""One mechanism for change: what is to differ in a case, said by key, and cases written as text.

Enter: texts such as `lesions.liver.irradiable=false`, tables of keys and values, and cases as they
are stated, before the library completes them. Everything changed is checked anew as if a file had
said so; this room knows nothing of solving.
"""
