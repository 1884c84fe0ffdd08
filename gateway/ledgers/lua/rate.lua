-- Twin of RateState in gateway/domain/rates.py; tests/vectors/rates.json holds both to it.
-- KEYS[1] the rate. ARGV: wanted (less than 0: undo so many), count, window in us, burst or 0, now in us or 0.
-- Returns: granted, us until one more, left.
local time = redis.call('TIME')
local now = tonumber(ARGV[5])
if now == 0 then now = tonumber(time[1]) * 1000000 + tonumber(time[2]) end
local wanted, count = tonumber(ARGV[1]), tonumber(ARGV[2])
local window, burst = tonumber(ARGV[3]), tonumber(ARGV[4])
local NEARLY = 1e-6
local granted, wait, left = 0, 0, 0
local state = redis.call('GET', KEYS[1])

if burst > 0 then
  local level, at = burst, now
  if state then level, at = struct.unpack('dd', state) end
  local per_second = count / (window / 1000000)
  level = math.min(burst, level + math.max(0, now - at) * per_second / 1000000)
  if wanted > 0 then granted = math.max(0, math.min(wanted, math.floor(level + NEARLY))) end
  if wanted < 0 then level = level - wanted else level = level - granted end
  if level + NEARLY < 1 then wait = math.ceil((1 - level) * 1000000 / per_second) end
  left = math.max(0, math.floor(level + NEARLY))
  local full = math.ceil((burst - level) * 1000 / per_second) + 1000
  redis.call('SET', KEYS[1], struct.pack('dd', level, now), 'PX', string.format('%.0f', full))
  return {granted, wait, left}
end

local groups, total = {}, 0
if state then groups = cmsgpack.unpack(state) end
local kept = {}
local back = #groups > 0 and groups[#groups][2] > now
for _, group in ipairs(groups) do
  if back then group[1], group[2] = math.min(group[1], now), math.min(group[2], now) end
  if group[2] + window > now then
    kept[#kept + 1] = group
    total = total + group[3]
  end
end
groups = kept
if wanted > 0 then granted = math.max(0, math.min(wanted, count - total)) end
if granted > 0 then
  total = total + granted
  local newest = groups[#groups]
  if newest and (now - newest[1]) * 64 < window then
    newest[2], newest[3] = now, newest[3] + granted
  else
    groups[#groups + 1] = {now, now, granted}
  end
end
local undo = math.max(0, -wanted)
while undo > 0 and #groups > 0 do
  local newest = groups[#groups]
  local undone = math.min(undo, newest[3])
  newest[3], total, undo = newest[3] - undone, total - undone, undo - undone
  if newest[3] == 0 then groups[#groups] = nil end
end
local over = total + 1 - count
for _, group in ipairs(groups) do
  if over <= 0 then break end
  over = over - group[3]
  if over <= 0 then wait = group[2] + window - now end
end
if #groups == 0 then
  redis.call('DEL', KEYS[1])
else
  local life = string.format('%.0f', math.ceil(window / 1000) + 1000)
  redis.call('SET', KEYS[1], cmsgpack.pack(groups), 'PX', life)
end
return {granted, wait, math.max(0, count - total)}
