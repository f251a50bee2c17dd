-- Make a record or set fields of one, with its entries: what most steps with entries do, for which commit.lua takes longer.
-- KEYS: the record's, those of its children. ARGV: 0 if the record must not exist, 1 if it must, 2 if it may, the id, 1 if
-- the indexes need not be whole, how many entries to look at, how many arguments are fields that the record holds with their
-- bytes, how many are fields of a record that is made, what given() takes, both, the fields that are set in any case.
-- Returns 1, or 2 if an entry was found whose record is gone, or, with nothing done, 0 if the record is not as it must be, or what refusal() returns.
local is_new = redis.call('EXISTS', KEYS[1]) == 0
if ARGV[1] == (is_new and '1' or '0') then return 0 end
local own = {start = string.sub(KEYS[1], 1, -1 - #ARGV[2]), id = ARGV[2], anyway = ARGV[3] == '1', is_new = is_new}
local held = 8 + 3 * ARGV[7]
local first = held + ARGV[5]
for i = held, first - 1, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) ~= ARGV[i + 1] then return 0 end
end
own.parts = given(ARGV, 7, is_new)
local refused = refusal(own)
if refused then return refused end
local set = first + ARGV[6]
if is_new then
  for i = 2, #KEYS do redis.call('UNLINK', KEYS[i]) end
  if set > first then redis.call('HSET', KEYS[1], unpack(ARGV, first, set - 1)) end
end
if set <= #ARGV then redis.call('HSET', KEYS[1], unpack(ARGV, set)) end
enter(own)
if ARGV[4] ~= '0' and next(own.parts) and sweep(own.start, next(own.parts), ARGV[4]) then return 2 end
return 1
