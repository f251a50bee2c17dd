-- Stands around a script that returns 1 if it has changed something. The last of KEYS is the token of this very step: it
-- exists if the step was made before, and only its reply was lost. The last of ARGV is how long it is kept, in milliseconds.
local token = KEYS[#KEYS]
if redis.call('EXISTS', token) == 1 then return 1 end

local function make()
  --[[ONCE]]
end

local reply = make()
if reply == 1 then
  redis.call('HSET', token, '', '')
  redis.call('PEXPIRE', token, ARGV[#ARGV])
end
return reply
