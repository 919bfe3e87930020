# frozen_string_literal: true

require_relative "process_test_case"

# With a stand-in for the agent, which says what it was started with.
class RackHandlerTest < ProcessTestCase
  RACKUP = Rack.release < "3" ? %w[-r rack -e Rack::Server.start] : %w[-r rackup -e Rackup::Server.start]

  def setup
    super
    app("config.ru" => "run ->(_) {}", "agent" => <<~SH)
      #!/bin/sh
      trap 'echo terminated; exit 0' TERM
      echo "$@"
      case "$*" in *port\\ 1*) while :; do sleep 0.1; done;; *port\\ 2*) exit 3;; esac
    SH
    File.chmod(0o755, File.join(@root, "agent"))
  end

  def rackup(*arguments)
    lib = File.expand_path("../../lib", __dir__)
    IO.popen({ "PASSENGER_AGENT" => File.join(@root, "agent"), "RUBYOPT" => nil },
             [Child::RUBY, "-I", lib, *RACKUP, "--", "-s", "passenger", *arguments],
             chdir: @root, err: %i[child out])
  end

  def test_starts_the_agent
    io = rackup("-o", "127.0.0.2", "-p", "3", "-E", "production")
    output = io.read
    io.close

    assert_equal "start --address 127.0.0.2 --port 3 --environment production --rackup #{@root}/config.ru\n", output
    assert_predicate Process.last_status, :success?
  end

  def test_rackup_2_finds_it
    app("rackup/handler.rb" => "module Rackup; module Handler; def self.register(*what) = p(what); end; end")
    lib = File.expand_path("../../lib", __dir__)
    command = [Child::RUBY, "-I", @root, "-I", lib, "-e", "require 'rackup/handler/passenger'"]

    assert_equal "[\"passenger\", Passenger::RackHandler]\n", IO.popen(command, &:read)
  end

  def test_forwards_ctrl_c
    io = rackup("-p", "1")
    io.gets
    Process.kill("INT", io.pid)

    assert_equal "terminated\n", io.read
    io.close
    assert_predicate Process.last_status, :success?
  end

  def test_fails_with_the_agent
    io = rackup("-p", "2")

    assert_match(/Passenger has failed \(pid \d+ exit 3\)/, io.read)
    io.close
    refute_predicate Process.last_status, :success?
  end
end
