# frozen_string_literal: true

# Keeps a megabyte for every request, for good: `/5` keeps five.

LEAKED = []

application = lambda do |env|
  megabytes = Integer(env["PATH_INFO"].delete_prefix("/"), exception: false) || 1
  LEAKED << ("x" * (megabytes * 1024 * 1024))
  [200, { "Content-Type" => "text/plain" }, ["#{Process.pid} leaked #{LEAKED.sum(&:bytesize) / 1024 / 1024} MB\n"]]
end

use Rack::Lint
run application
