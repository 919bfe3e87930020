# frozen_string_literal: true

# Answers as Rack 3 wants it, whatever Rack is installed: lower-case names, lists of values, bodies that are called.
# The lint of Rack 2 knows none of that.

require "rack"

finished = []

# A body that may be asked for everything at once.
Whole = Struct.new(:chunks) do
  def to_ary
    chunks
  end

  def each(&block)
    chunks.each(&block)
  end
end

plain = { "content-type" => "text/plain" }

paths = {
  "/" => -> { [200, plain, ["Hello from Rack 3\n"]] },
  "/cookies" => -> { [200, plain.merge("set-cookie" => ["first=1", "second=2"]), ["cookies\n"]] },
  "/to-ary" => -> { [200, plain, Whole.new(["all ", "at ", "once\n"])] },
  # A streaming body: the server hands over a stream, the body writes and closes.
  "/callable" => lambda {
    body = lambda do |stream|
      stream.write("one\n")
      stream << "two\n"
      stream.flush
      stream.close
    end
    [200, plain, body]
  },
  # The same, but it reads what the client sends.
  "/converse" => lambda {
    body = lambda do |stream|
      while (piece = stream.read(5))
        stream.write("echo #{piece}\n")
      end
    ensure
      stream.close
    end
    [200, plain, body]
  },
  "/callable-breaks" => lambda {
    body = lambda do |stream|
      stream.write("one\n")
      raise "the streaming body broke"
    end
    [200, plain, body]
  },
  "/partial-hijack" => lambda {
    hijack = lambda do |stream|
      stream.write("hijacked\n")
      stream.close
    end
    [200, plain.merge("rack.hijack" => hijack), []]
  },
  "/finished" => -> { [200, plain, [finished.join("\n")]] }
}

# Not allowed, and done all the same.
map "/frozen" do
  run ->(_env) { [200, plain.dup.freeze, ["frozen\n"].freeze] }
end

use Rack::Lint unless Rack.release < "3"
run(lambda do |env|
  (env["rack.response_finished"] || []) << lambda do |finished_env, status, headers, error|
    finished << "#{finished_env['PATH_INFO']} #{status} #{headers.class} #{error.class}"
  end
  paths.fetch(env["PATH_INFO"], -> { [404, plain, ["no such path\n"]] }).call
end)
