-- Stands before scripts that work on the index entries of a class. `start` is what the names of its records begin with:
-- `start .. ':' .. name` is an index, a sorted set, and `start .. '::'` the memo, a hash. The memo holds, by id, a row of
-- what this id has in every index. Under '' it holds `:1name:0name:`, the indexes that are noted, after 1 if they are whole.
-- The empty member of an index is there as long as it is noted, so that neither counts without the other.

-- Return the id as entries have it, where a NUL is followed by 255 so that a longer id comes later.
local function escaped(id)
  local text, at = '', 1
  local zero = string.find(id, '\0', 1, true)
  while zero do
    text, at = text .. string.sub(id, at, zero) .. '\255', zero + 1
    zero = string.find(id, '\0', at, true)
  end
  return text .. string.sub(id, at)
end

local function unescaped(text)
  local id, at = '', 1
  local zero = string.find(text, '\0', 1, true)
  while zero do
    id, at = id .. string.sub(text, at, zero), zero + 2
    zero = string.find(text, '\0', at, true)
  end
  return id .. string.sub(text, at)
end

-- Return what follows the order key in the entries of an id: the id, NUL and the length in two bytes.
local function tail_of(id)
  local text = escaped(id)
  return text .. string.char(0, math.floor(#text / 256), #text % 256)
end

local function id_of(entry)
  local high, low = string.byte(entry, -2, -1)
  return unescaped(string.sub(entry, -3 - high * 256 - low, -4))
end

local function key_of(name, part)
  return string.sub(part, 7 + #name)
end

-- Remove all entries of an id. One that stayed in another index would be found once the record is made again.
local function forget(start, id)
  local row = redis.call('HGET', start .. '::', id)
  if not row then return end
  local tail = tail_of(id)
  for name, part in pairs(parts_of(row)) do redis.call('ZREM', start .. ':' .. name, key_of(name, part) .. tail) end
  redis.call('HDEL', start .. '::', id)
end

-- Forget those of some ids, at most 4000, that have no record; return at which places they were.
local function forget_gone(start, ids)
  local gone, names = {}, {}
  for i, id in ipairs(ids) do names[i] = start .. id end
  if #ids == 0 or redis.call('EXISTS', unpack(names)) == #ids then return gone end
  for i, id in ipairs(ids) do
    if redis.call('EXISTS', names[i]) == 0 then
      forget(start, id)
      gone[i] = true
    end
  end
  return gone
end

-- Forget what is gone among `count` entries at a place of one of some indexes, which the clock makes random, and return
-- whether any was. Random rows of the memo would cost more.
local function sweep(start, names, count)
  local time, ids = redis.call('TIME')[2], {}
  local index, random = start .. ':' .. names[time % #names + 1], time * 48271 % 1000003 / 1000003
  local last = math.floor((redis.call('ZCARD', index) + count - 1) * random)  -- so the first entries are not met less often
  for _, entry in ipairs(redis.call('ZRANGE', index, math.max(0, last - count + 1), last)) do
    if entry ~= '' then ids[#ids + 1] = id_of(entry) end
  end
  return next(forget_gone(start, ids)) ~= nil
end
