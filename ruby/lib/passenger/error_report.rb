# frozen_string_literal: true

module Passenger
  # An exception that ended a request, for the log and for the client.
  class ErrorReport
    STYLE = <<~CSS
      body { font: 16px/1.5 system-ui, sans-serif; margin: 0; color: #222; background: #f6f6f4 }
      header { padding: 2rem; color: #fff; background: #a3252f }
      h1 { margin: 0; font-size: 1.3rem; white-space: pre-wrap; overflow-wrap: anywhere }
      main { padding: 2rem }
      pre { padding: 1rem; overflow: auto; font: 13px/1.6 ui-monospace, monospace; background: #fff; border: 1px solid #ddd }
    CSS

    def initialize(error, env)
      @error = error
      @env = env
    end

    # One text, so that the lines of several workers do not mix.
    def to_log
      "[passenger] #{request_line} in process #{Process.pid} failed:\n#{Backtrace.describe(@error)}"
    end

    # Headers and body of the response.
    def to_rack(show)
      html = show ? details : "<h1>Internal Server Error</h1><p>The application could not answer this request.</p>"
      page = "<!doctype html><meta charset=utf-8><title>Internal Server Error</title>#{html}"
      [{ "content-type" => "text/html; charset=utf-8" }, [page]]
    end

    private

    def details
      <<~HTML
        <style>#{STYLE}</style>
        <header><h1>#{escape(Backtrace.title(@error))}</h1></header>
        <main><p>#{escape(request_line)}</p>
        <pre>#{escape(Backtrace.describe(@error))}</pre>
        <p>Shown because the environment is development. In production clients see none of this.</p></main>
      HTML
    end

    def request_line
      Backtrace.text("#{@env['REQUEST_METHOD']} #{@env['REQUEST_URI']}")
    end

    def escape(text)
      text.gsub(/[&<>"']/, "&" => "&amp;", "<" => "&lt;", ">" => "&gt;", '"' => "&quot;", "'" => "&#39;")
    end
  end
end
