-- Let the key `name` vanish in the same millisecond as `owner`, which has a deadline. Before version 7 the clock goes on
-- between the commands of a script, so this repeats until it has not.
local function follow(name, owner)
  local left
  repeat
    left = redis.call('PTTL', owner)
    redis.call('PEXPIRE', name, left)
  until redis.call('PTTL', owner) == left
end
