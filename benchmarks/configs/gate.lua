-- Admits a request as a gateway in Lua would: one script in Redis, one round trip, a kept connection.
local token = ngx.var.http_apicharge
if not token then
    return ngx.exit(402)
end
local sock = ngx.socket.tcp()
local connected = sock:connect("127.0.0.1", @redis)
if not connected then
    return ngx.exit(503)
end
local now = tostring(ngx.time())
sock:send({
    "*5\r\n$7\r\nEVALSHA\r\n$40\r\n@script\r\n$1\r\n1\r\n$", #token, "\r\n", token,
    "\r\n$", #now, "\r\n", now, "\r\n",
})
local answer = sock:receive("*l")
if not answer or answer:sub(1, 1) ~= ":" then
    return ngx.exit(503)
end
sock:setkeepalive(60000, 64)
local left = tonumber(answer:sub(2))
if left < 0 then
    return ngx.exit(left == -3 and 402 or 401)
end
ngx.header["RateLimit"] = '"calls";r=' .. answer:sub(2)
