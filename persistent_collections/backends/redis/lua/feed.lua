-- Run a command that takes any number of items. ARGV: where the items are, the command, items.
local list, first, last = items(3)
return feed(ARGV[2], KEYS[1], list, first, last)
