-- The nodes that count rates here. KEYS[1] all of them. ARGV: node, lifetime in ms, 1 to leave.
-- Returns: how many there are, which of them, from 0, this one is, and whether it was known before.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local known = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 1 or 0
if ARGV[3] == '1' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local nodes = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(nodes)
for at, node in ipairs(nodes) do
  if node == ARGV[1] then return {#nodes, at - 1, known} end
end
return {#nodes, 0, known}
