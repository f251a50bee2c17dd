-- Make several changes, or none. ARGV: where the items are, how many of KEYS are kin (they come first), how many changes
-- there are, and five arguments for each: the number of its key among KEYS, 1 if that must be absent, what to do and two
-- figures.
--   HSET, RPUSH, SADD: put items in place of all that the key holds (how many)
--   fields: delete some, then set others, whose items are fields and bytes in turn (how many names, how many items)
--   delete (0)
--   deadline: vanish in so many milliseconds, never if empty
-- Returns for each change 1 if its key was there before, 0 if not; or, with nothing done, the number of the change
-- whose key holds another shape.
local SHAPES = {HSET = 'hash', RPUSH = 'list', SADD = 'set', fields = 'hash'}
local changes, found, held, refused = {}, {}, {}, false

for i = 1, tonumber(ARGV[3]) do
  local number, absent, what, a, b = unpack(ARGV, 5 * i - 1, 5 * i + 3)
  local name = KEYS[tonumber(number)]
  changes[i] = {name = name, what = what, a = tonumber(a), b = tonumber(b)}
  held[name] = redis.call('TYPE', name).ok
  found[i] = held[name] == 'none' and 0 or 1
  refused = refused or (absent == '1' and found[i] == 1)
end
if refused then return found end

for i, change in ipairs(changes) do
  local shape = SHAPES[change.what]
  if shape and held[change.name] ~= 'none' and held[change.name] ~= shape then return i end
  if change.what == 'fields' then
    if change.b > 0 then held[change.name] = shape end
  elseif change.a == 0 then -- emptied, deleted or run out
    held[change.name] = 'none'
  elseif shape then
    held[change.name] = shape
  end
end

local list, at = items(4 + 5 * #changes)
local kin_left = time_left({unpack(KEYS, 1, tonumber(ARGV[2]))})

-- Return where the next `count` items begin and end.
local function take(count)
  at = at + count
  return at - count, at - 1
end

for _, change in ipairs(changes) do
  local name, what = change.name, change.what
  local left = redis.call('PTTL', name)
  if left == -2 then left = kin_left end
  if what == 'deadline' then
    if change.a then redis.call('PEXPIRE', name, change.a) else redis.call('PERSIST', name) end
  elseif what == 'fields' then
    local first, last = take(change.a)
    feed('HSET', name, list, take(change.b))
    settle(name, left)
    drop(name, list, first, last)
  else
    put(what, name, list, take(change.a))
    if change.a > 0 then settle(name, left) end
  end
end
return found
