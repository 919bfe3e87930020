# frozen_string_literal: true

# What Rack forbids, and real applications do all the same.
class Unlinted < Handler
  # Reads the request body twice, which only Rack 2 allows.
  def rewind
    digests = Array.new(2) do
      env["rack.input"].rewind
      Digest::SHA256.hexdigest(env["rack.input"].read)
    end
    json(digests)
  end

  # Ten bytes promised, five given.
  def too_short
    [200, { "Content-Type" => "text/plain", "Content-Length" => "10" }, ["12345"]]
  end

  # Five bytes promised, ten given.
  def too_long
    [200, { "Content-Type" => "text/plain", "Content-Length" => "5" }, ["1234567890"]]
  end

  def body_with_204
    [204, { "Content-Type" => "text/plain" }, ["there must be none"]]
  end

  def nil_answer
    nil
  end

  def symbol_status
    [:ok, { "Content-Type" => "text/plain" }, ["ok"]]
  end

  def string_status
    ["200", { "Content-Type" => "text/plain" }, ["a string"]]
  end

  # A header value with a line break that would end the head.
  def header_injection
    [200, { "Content-Type" => "text/plain", "X-Injected" => "value\r\nX-Evil: yes\r\n\r\nbody" }, ["safe"]]
  end

  def integer_header
    [200, { "Content-Type" => "text/plain", "X-Number" => 42 }, ["number"]]
  end

  def body_of_symbols
    [200, { "Content-Type" => "text/plain" }, [:not_a_string]]
  end

  def body_without_each
    [200, { "Content-Type" => "text/plain" }, Object.new]
  end

  # Both framing headers at once.
  def length_and_chunked
    [200, { "Content-Type" => "text/plain", "Content-Length" => "3", "Transfer-Encoding" => "chunked" },
     ["3\r\nabc\r\n", "0\r\n\r\n"]]
  end
end
