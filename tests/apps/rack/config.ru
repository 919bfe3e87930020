# frozen_string_literal: true

# One application with a path for everything a server must get right. `/big/1000` calls `big("1000")` of the class
# that has it; every answer passes Rack::Lint, but for those under `/unlinted`, which break its rules on purpose.

require_relative "lib/handler"
require_relative "lib/requests"
require_relative "lib/headers"
require_relative "lib/bodies"
require_relative "lib/hijacks"
require_relative "lib/failures"
require_relative "lib/after_reply"
require_relative "lib/unlinted"

map "/unlinted" do
  run Handler.dispatch(Unlinted)
end

use Rack::Lint
run Handler.dispatch(Requests, Headers, Bodies, Hijacks, Failures, AfterReply)
