-- Run a command that takes any number of items and may make the key. ARGV: where the items are, the command, items.
local list, first, last = items(3)
local left = time_left(KEYS)
local sum = feed(ARGV[2], KEYS[1], list, first, last)
settle(KEYS[1], left)
return sum
