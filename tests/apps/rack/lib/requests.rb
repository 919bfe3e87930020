# frozen_string_literal: true

require "digest"
require_relative "gate"

# What the application sees of a request.
class Requests < Handler
  def hello
    text("Hello from the app\n")
  end

  def pid
    text("#{Process.pid}\n")
  end

  # Answers with the process id once the gate is open.
  def wait(key)
    Gate.wait(key)
    pid
  end

  # Adds a line to `tmp/notes`, so that a test can count how often this was done.
  def note(key)
    FileUtils.mkdir_p("tmp")
    File.write("tmp/notes", "#{key}\n", mode: "a")
    pid
  end

  def sleep(seconds)
    Kernel.sleep(Float(seconds))
    pid
  end

  # Starts a background process, as careless applications do, and answers with its id.
  def background
    text("#{Process.spawn('sleep', '1000')}\n")
  end

  # What the application finds around it, outside of requests.
  def surroundings
    json("directory" => Dir.pwd, "variables" => ENV.to_h, "program" => $PROGRAM_NAME, "arguments" => ARGV, **user)
  end

  # Whatever follows in the path.
  def env(*)
    json(@env.transform_values { |value| presentable(value) })
  end

  # Length and digest of the request body, read in pieces so that a big one is never in memory.
  def echo
    digest = Digest::SHA256.new
    length = 0
    while (piece = @env["rack.input"].read(65_536))
      digest << piece
      length += piece.bytesize
    end
    json("length" => length, "sha256" => digest.hexdigest)
  end

  # The request body read by the method of `rack.input` that the path names.
  def input(how)
    input = @env["rack.input"]
    pieces =
      case how
      when "read" then [input.read]
      when "read-3" then read_by(3)
      when "read-into" then [String.new.tap { |buffer| input.read(5, buffer) }]
      when "gets" then [].tap { |lines| while (line = input.gets) do lines << line end }
      when "each" then [].tap { |lines| input.each { |line| lines << line } }
      end
    json("pieces" => pieces, "at_end" => { "read" => input.read, "read_1" => input.read(1), "gets" => input.gets })
  end

  # Answers without looking at the request body.
  def ignore
    text("ignored\n")
  end

  def log(message)
    @env["rack.errors"].puts("rack.errors: #{message}")
    @env["rack.errors"].flush
    $stdout.puts("stdout: #{message}")
    $stdout.flush
    text("logged\n")
  end

  private

  def user
    { "uids" => [Process.uid, Process.euid], "gids" => [Process.gid, Process.egid], "groups" => Process.groups.sort,
      "open_files" => Process.getrlimit(:NOFILE) }
  end

  def read_by(length)
    [].tap do |pieces|
      while (piece = @env["rack.input"].read(length)) do pieces << piece end
    end
  end

  def presentable(value)
    case value
    when String, true, false, nil, Integer, Array then value
    else value.class.name
    end
  end
end
