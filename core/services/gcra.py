"""GCRA: how often something may happen, counted in Redis for all processes together, with the clock of the server."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from redis import Redis

SCRIPT: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local answers, due, over = {}, {}, false
for i, key in ipairs(KEYS) do
  local window = tonumber(ARGV[i * 2])
  local interval = window / tonumber(ARGV[i * 2 - 1])
  local from = math.max(tonumber(redis.call('GET', key) or '0'), now)
  due[i] = from + interval
  local wait = due[i] - now - window
  if wait > 0 then over = true end
  local left = math.max(0, math.floor((window - (due[i] - now)) / interval + 0.000001))
  answers[i] = {string.format('%.0f', math.max(0, wait)), left, string.format('%.0f', due[i] - now)}
end
if not over then
  for i, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.0f', due[i]), 'PX', math.ceil((due[i] - now) / 1000) + 1)
  end
end
return answers
"""


def stored_as(name: str, key: str) -> str:
    """Return the key in Redis of what is counted. It names nobody."""
    return f"iit:quota:{hashlib.sha256(f'{name} {key}'.encode()).hexdigest()[:32]}"


def count(client: Redis, keys: Sequence[str], limits: Sequence[int], window: int) -> list[tuple[bytes, bytes, bytes]]:
    """Count one more for each key, unless one of them is used up: then it counts to none.

    Args:
        client: of the server.
        keys: of ``stored_as``.
        limits: how many each key may count within the window.
        window: seconds.

    Returns:
        For each key: microseconds to wait, how many are left, microseconds until the whole is there again.

    Raises:
        RedisError: Redis does not answer in time.
    """
    arguments = [value for limit in limits for value in (limit, window * 1_000_000)]
    answers: list[tuple[bytes, bytes, bytes]] = client.register_script(SCRIPT)([*keys], arguments)
    return answers
