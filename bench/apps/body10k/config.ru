# frozen_string_literal: true

# A 10 KB body in one piece: what it costs to move bytes.
BODY = ("0123456789abcdef" * 64 * 10)
HEADERS = { "content-type" => "application/octet-stream", "content-length" => BODY.bytesize.to_s }.freeze

run ->(_env) { [200, HEADERS.dup, [BODY]] }
