-- Stands before scripts that take any number of items. KEYS[1] is the key worked on; of a child, its owner follows.

local PIECE = 4000 -- unpack fails beyond some 8,000 results; even, so that no field is parted from its bytes

-- Run a variadic command with list[first..last], in pieces that unpack can take; return the sum of the replies.
local function feed(command, name, list, first, last)
  local sum = 0
  for from = first, last, PIECE do
    sum = sum + redis.call(command, name, unpack(list, from, math.min(from + PIECE - 1, last)))
  end
  return sum
end

-- Return the replies to a command that answers each of list[first..last], asked in the same pieces.
local function ask(command, name, list, first, last)
  local replies = {}
  for from = first, last, PIECE do
    for _, reply in ipairs(redis.call(command, name, unpack(list, from, math.min(from + PIECE - 1, last)))) do
      replies[#replies + 1] = reply
    end
  end
  return replies
end

-- Return the items a script was given, with the index of the first and of the last: its arguments from `first` on or,
-- where those are too many for one command, a list staged under the last key.
local function items(first)
  if ARGV[1] == 'here' then return ARGV, first, #ARGV end
  local list = redis.call('LRANGE', KEYS[#KEYS], 0, -1)
  return list, 1, #list
end

-- Delete those fields of a hash that are among list[first..last]. A record that has no other keeps the marker instead,
-- the empty field, which is set first: nothing comes back to a key that may be gone, see put().
local function drop(name, list, first, last, is_record)
  local rest = redis.call('HLEN', name)
  if is_record and rest <= last - first + 1 then
    local others = rest
    for i = first, last do others = others - redis.call('HEXISTS', name, list[i]) end
    if others == 0 then
      redis.call('HSET', name, '', '')
      for i = first, last do
        if list[i] ~= '' then redis.call('HDEL', name, list[i]) end
      end
      return
    end
  end
  for from = first, last, PIECE do
    if rest == 0 then return end
    rest = rest - feed('HDEL', name, list, from, math.min(from + PIECE - 1, last))
  end
end

-- Put list[first..last] in place of all that `name` holds, by the command that adds them. What is new comes first, what
-- was there goes after it: a script that runs while its slot moves to another node of a cluster is refused a key that it
-- has deleted itself, and would end halfway. So no script comes back to a key that it may have emptied, and a deadline
-- of the key stays.
local function put(command, name, list, first, last, is_new)
  if first > last then
    redis.call('UNLINK', name)
  elseif is_new then
    feed(command, name, list, first, last)
  elseif command == 'RPUSH' then
    local n = redis.call('LLEN', name)
    feed(command, name, list, first, last)
    if n > 0 then redis.call('LTRIM', name, n, -1) end
  else
    -- Of how many items each is one, which of them is its name, what deletes names, and what lists them.
    local way = ({HSET = {2, 0, 'HDEL', 'HKEYS'}, SADD = {1, 0, 'SREM', 'SMEMBERS'}, ZADD = {2, 1, 'ZREM', 'ZRANGE', 0, -1}})[command]
    local stay, gone = {}, {}
    for i = first + way[2], last, way[1] do stay[list[i]] = true end
    for _, item in ipairs(redis.call(way[4], name, unpack(way, 5))) do
      if not stay[item] then gone[#gone + 1] = item end
    end
    feed(command, name, list, first, last)
    feed(way[3], name, gone, 1, #gone)
  end
end
