-- Make a record or set fields of one, and put items in place of its children: what most steps without entries do, for which
-- commit.lua takes longer.
-- KEYS: the record's, those of its children. ARGV: 0 if the record must not exist, 1 if it must, 2 if it may; how many
-- fields it must not have, how many arguments are fields of a record that is made, how many are fields that are set in one
-- that exists, how many children get items; of each of these the number of its key, the command and how many items; all
-- that was counted.
-- Returns 1, or, with nothing done, 0 if the record is not as it must be, or -1 if this is for commit.lua.
local type = redis.call('TYPE', KEYS[1]).ok
local is_new = type == 'none'
if ARGV[1] == (is_new and '1' or '0') then return 0 end
if not is_new and type ~= 'hash' then return -1 end
local children = 5 + 3 * ARGV[5]
local made = children + ARGV[2]
local set = made + ARGV[3]
local at = set + ARGV[4]
if is_new then
  redis.call('HSET', KEYS[1], unpack(ARGV, made + 1, set)) -- first, so that a full server refuses it
  if #KEYS > 1 then redis.call('UNLINK', unpack(KEYS, 2)) end
else
  for i = children + 1, made do
    if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then return 0 end
  end
  for i = 6, children, 3 do
    local held = redis.call('TYPE', KEYS[tonumber(ARGV[i])]).ok
    local inherits = held == 'none' and redis.call('PTTL', KEYS[1]) >= 0
    if inherits or held ~= 'none' and (held ~= 'list' or ARGV[i + 1] ~= 'RPUSH') then return -1 end
  end
  if at > set then redis.call('HSET', KEYS[1], unpack(ARGV, set + 1, at)) end
end
for i = 6, children, 3 do
  local name, count = KEYS[tonumber(ARGV[i])], tonumber(ARGV[i + 2])
  if count == 0 then
    redis.call('UNLINK', name)
  elseif redis.call(ARGV[i + 1], name, unpack(ARGV, at + 1, at + count)) > count then
    redis.call('LTRIM', name, -count, -1) -- what was there goes last, see put() in common.lua
  end
  at = at + count
end
return 1
