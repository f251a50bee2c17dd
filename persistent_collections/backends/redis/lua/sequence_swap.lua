-- Put the list KEYS[#KEYS] in place of KEYS[1], whose deadline stays. Return 1 if it was there, with as many items as
-- expected. ARGV: how many.
local stage = KEYS[#KEYS]
if redis.call('LLEN', stage) ~= tonumber(ARGV[1]) then return 0 end
redis.call('LLEN', KEYS[1]) -- fails on another shape
if redis.call('PTTL', KEYS[1]) >= 0 then
  follow(stage, KEYS[1])
  if redis.call('EXISTS', stage) == 0 then return 1 end -- the deadline has come
else
  redis.call('PERSIST', stage)
end
redis.call('RENAME', stage, KEYS[1]) -- takes the deadline along, however long it takes to delete what was there
return 1
