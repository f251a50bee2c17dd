-- Stands before scripts that work on entries on a cluster: an order key, an id as in entries.lua, 1 if the key is not
-- claimed, else 0, and a stamp of seven bytes. That is the microsecond at which the entry was claimed last.

-- Return this moment by the clock of this node, in microseconds.
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function as_text(stamp)
  return string.format('%.0f', stamp)
end

-- Return the stamp of an entry, and whether its key is claimed.
local function stamp_of(entry)
  local bytes, stamp = {string.byte(entry, -8, -1)}, 0
  for i = 2, 8 do stamp = stamp * 256 + bytes[i] end
  return stamp, bytes[1] == 0
end

local function stamped(place, stamp, claimed)
  local text = ''
  for _ = 1, 7 do
    text = string.char(stamp % 256) .. text
    stamp = math.floor(stamp / 256)
  end
  return place .. string.char(claimed and 0 or 1) .. text
end

-- Return the entry at a place: an order key and an id.
local function entry_at(index, place)
  return redis.call('ZRANGEBYLEX', index, '[' .. place, '(' .. place .. '\255', 'LIMIT', 0, 1)[1]
end
