-- Make changes if conditions hold. ARGV: where the items are, how many conditions and how many changes there are, and
-- for each of them, conditions first: its kind, the numbers among KEYS of its key and of that key's owner (0 if it does
-- not matter), and how many of the items, which follow, are its own.
-- Returns 1; or, with nothing done, 0 if a condition does not hold, or -n if the n-th key holds another shape.
-- It runs for every record that is saved: what it defines costs more than the commands it calls.
local conditions, steps = tonumber(ARGV[2]), ARGV[2] + ARGV[3]
local list, first = items(4 + 4 * steps)
local origin = first
local held, unsure, news, now = {}, {}, {}, nil

-- What a key must hold, if it exists.
local TYPES = {
  has = 'hash', lacks = 'hash', HSET = 'hash', RPUSH = 'list', SADD = 'set',
  set = 'hash', unset = 'hash', unset_record = 'hash', at = 'list', beyond = 'list', all = 'list', push = 'list',
  unshift = 'list', trim = 'list', ['in'] = 'set', out = 'set', add = 'set', remove = 'set', ZADD = 'zset', scored = 'zset',
}

-- Return the kind of the i-th step, its key, the owner of that, and the index of the last of its items.
local function step(i)
  local kind, key, owner, count = unpack(ARGV, 4 * i, 4 * i + 3)
  return kind, KEYS[tonumber(key)], KEYS[tonumber(owner)], first + count - 1
end

-- Return the type that a key holds once the changes foreseen so far are made.
local function type_of(name)
  held[name] = held[name] or redis.call('TYPE', name).ok
  return held[name]
end

-- Return whether a key holds nothing or the type that a step of this kind is for, if it is for one.
local function fits(kind, name)
  local type = TYPES[kind]
  return not type or type_of(name) == 'none' or type_of(name) == type
end

-- Return whether a condition about a size, a list or a set holds. Items: of `size` the size, of `at` indexes and their
-- bytes, of `beyond` indexes, of `all` every item of a list, of `in` and `out` members, of `scored` scores and members.
local function agrees(kind, name, last)
  if kind == 'size' then
    local command = ({hash = 'HLEN', list = 'LLEN', set = 'SCARD', zset = 'ZCARD'})[type_of(name)]
    return (command and redis.call(command, name) or 0) == tonumber(list[first])
  elseif kind == 'all' then
    for i, data in ipairs(redis.call('LRANGE', name, 0, last - first)) do
      if data ~= list[first + i - 1] then return false end
    end
    return true
  elseif kind == 'scored' then
    for i = first, last, 2 do
      local score = redis.call('ZSCORE', name, list[i + 1])
      if not score or tonumber(score) ~= tonumber(list[i]) then return false end
    end
    return true
  end
  if kind == 'in' or kind == 'out' then
    for _, found in ipairs(ask('SMISMEMBER', name, list, first, last)) do
      if (found == 1) ~= (kind == 'in') then return false end
    end
    return true
  end
  for i = first, last, kind == 'at' and 2 or 1 do
    local data = redis.call('LINDEX', name, list[i])
    if kind == 'at' and data ~= list[i + 1] or kind == 'beyond' and data then return false end
  end
  return true
end

-- Return whether a condition holds. Items: of `has` fields and their bytes, of `lacks` fields.
local function holds(kind, name, last)
  if kind == 'exists' then return type_of(name) ~= 'none' end
  if kind == 'absent' then return type_of(name) == 'none' end
  if kind == 'held_by' or kind == 'claimed' then return true end -- not yet known
  if kind ~= 'has' and kind ~= 'lacks' then return agrees(kind, name, last) end
  if kind == 'lacks' then
    for i = first, last do
      if redis.call('HEXISTS', name, list[i]) == 1 then return false end
    end
    return true
  end
  local fields = {}
  for i = first, last, 2 do fields[#fields + 1] = list[i] end
  for i, data in ipairs(ask('HMGET', name, fields, 1, #fields)) do
    if data ~= list[first + 2 * i - 1] then return false end
  end
  return true
end

-- Call `each` with the keys of the children that a step of the kind `make` names; return the index of its first field.
local function children(each)
  local last = first + list[first]
  for i = first + 1, last do each(KEYS[tonumber(list[i])]) end
  return last + 1
end

-- Note what a key holds after the i-th change, and whether it is absent before it, if that can be told.
local function foresee(i, kind, name, last)
  if not unsure[name] then news[i] = type_of(name) == 'none' end
  if kind == 'make' then
    if unsure[name] then
      children(function(child) unsure[child] = true end)
    elseif news[i] and children(function(child) held[child] = 'none' end) <= last then
      held[name] = 'hash'
    end
  elseif kind == 'delete' then
    held[name] = 'none'
  elseif kind == 'unset' or kind == 'trim' or kind == 'remove' then
    unsure[name] = true
  elseif kind == 'unset_record' or first <= last and kind == 'set' then
    held[name] = 'hash'
  elseif first <= last and (kind == 'push' or kind == 'unshift' or kind == 'add') then
    held[name] = TYPES[kind]
  elseif kind == 'HSET' or kind == 'RPUSH' or kind == 'SADD' or kind == 'ZADD' then
    held[name] = first <= last and TYPES[kind] or 'none'
  end
end

-- Return the moment `ms` milliseconds after the one that all deadlines of this script are counted from.
local function moment(ms)
  if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return string.format('%.0f', now + ms)
end

local function change(kind, name, last, is_new)
  if kind == 'make' then -- the number of children, their numbers among KEYS, fields and their bytes
    if is_new then
      feed('HSET', name, list, first + list[first] + 1, last) -- first, so that a full server refuses it
      children(function(child) redis.call('UNLINK', child) end)
    end
  elseif kind == 'set' then -- fields and their bytes
    feed('HSET', name, list, first, last)
  elseif kind == 'unset' or kind == 'unset_record' then -- fields
    drop(name, list, first, last, kind == 'unset_record')
  elseif kind == 'push' then -- items
    feed('RPUSH', name, list, first, last)
  elseif kind == 'unshift' then -- items, the last of them first
    feed('LPUSH', name, list, first, last)
  elseif kind == 'trim' then -- the index of the first item that stays, and of the last
    redis.call('LTRIM', name, list[first], list[last])
  elseif kind == 'add' then -- members
    feed('SADD', name, list, first, last)
  elseif kind == 'remove' then -- members; the set may be gone before the last, and a key that is gone is left alone
    local rest = redis.call('SCARD', name)
    for from = first, last, PIECE do
      if rest == 0 then return end
      rest = rest - feed('SREM', name, list, from, math.min(from + PIECE - 1, last))
    end
  elseif kind == 'delete' then
    redis.call('UNLINK', name)
  elseif kind == 'expire' then -- milliseconds
    redis.call('PEXPIREAT', name, moment(list[first]))
  elseif kind == 'persist' then
    redis.call('PERSIST', name)
  elseif kind ~= 'entries' and kind ~= 'forget' then -- the command that puts items in place of all that the key holds
    put(kind, name, list, first, last, is_new)
  end
end

for i = 1, conditions do
  local kind, name, _, last = step(i)
  if not fits(kind, name) then return -i end
  if not holds(kind, name, last) then return 0 end
  first = last + 1
end
local begin = first
for i = conditions + 1, steps do
  local kind, name, _, last = step(i)
  if not fits(kind, name) then return -i end
  foresee(i, kind, name, last)
  first = last + 1
end
--[[ENTRIES]]
first = begin
for i = conditions + 1, steps do
  local kind, name, owner, last = step(i)
  local is_new = news[i]
  if is_new == nil then is_new = redis.call('EXISTS', name) == 0 end
  -- A key that a change makes vanishes together with its owner.
  local inherits = owner and is_new and redis.call('PTTL', owner) >= 0
  change(kind, name, last, is_new)
  if inherits then follow(name, owner) end
  first = last + 1
end
return 1
