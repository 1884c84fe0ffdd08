-- How many calls of a grant run on which node. Every node says its own absolute number, so saying it
-- again changes nothing; what a node does not say again within its lifetime is gone with it.
-- KEYS[1] the concurrency. ARGV: node, the number it wants, the number it surely has, count, lifetime in ms, now in us or 0.
-- Returns: the number it has from now on, how many others run.
local time = redis.call('TIME')
local now = tonumber(ARGV[6])
if now == 0 then now = tonumber(time[1]) * 1000000 + tonumber(time[2]) end
local node, wanted, held = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local count, life = tonumber(ARGV[4]), tonumber(ARGV[5])
local others = 0
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  if all[at] ~= node then
    local number, until_us = struct.unpack('dd', all[at + 1])
    if until_us <= now then redis.call('HDEL', KEYS[1], all[at]) else others = others + number end
  end
end
local has = math.max(held, math.min(wanted, count - others))
if has > 0 then
  redis.call('HSET', KEYS[1], node, struct.pack('dd', has, now + life * 1000))
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
else
  redis.call('HDEL', KEYS[1], node)
end
return {has, others}
