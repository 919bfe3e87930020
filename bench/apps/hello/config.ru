# frozen_string_literal: true

# The smallest application there is: what is left is the cost of the server.
run ->(_env) { [200, { "content-type" => "text/plain", "content-length" => "12" }, ["Hello world\n"]] }
