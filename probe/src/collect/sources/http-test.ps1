# GetAuthConfig, asked as synchronization asks it: by .NET's HttpWebRequest, with the proxy of WSUS
$config = (Get-Wsus).GetConfiguration()
$base = 'https://sws.update.microsoft.com'
if ($config.SyncFromMicrosoftUpdate) {
    if ($config.MUUrl) { $base = $config.MUUrl }
} else {
    $scheme = 'http'
    if ($config.UpstreamWsusServerUseSsl) { $scheme = 'https' }
    $base = '{0}://{1}:{2}' -f $scheme, $config.UpstreamWsusServerName, $config.UpstreamWsusServerPortNumber
}
$url = $base.TrimEnd('/') + '/ServerSyncWebService/ServerSyncWebService.asmx'
$proxy = ''
if ($config.UseProxy) {
    $proxy = '{0}:{1}' -f $config.ProxyName, $config.ProxyServerPort
    if ($config.UseSeparateProxyForSsl -and $url -like 'https:*') {
        $proxy = '{0}:{1}' -f $config.SslProxyName, $config.SslProxyServerPort
    }
}
if ($Protocol) { [Net.ServicePointManager]::SecurityProtocol = $Protocol }
'wsusprobe-http-test: 1'
"Url: $url"
"Proxy: $proxy"
"Protocol: $Protocol"
"Account: $([Security.Principal.WindowsIdentity]::GetCurrent().Name)"
try {
    $request = [Net.WebRequest]::Create($url)
    $request.Proxy = New-Object Net.WebProxy
    if ($proxy) { $request.Proxy = New-Object Net.WebProxy "http://$proxy" }
    $request.Method = 'POST'
    $request.ContentType = 'text/xml; charset=utf-8'
    $request.Headers.Add('SOAPAction', '"http://www.microsoft.com/SoftwareDistribution/GetAuthConfig"')
    $request.Timeout = 20000
    $body = [Text.Encoding]::UTF8.GetBytes('<?xml version="1.0" encoding="utf-8"?>' +
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>' +
        '<GetAuthConfig xmlns="http://www.microsoft.com/SoftwareDistribution"/></soap:Body></soap:Envelope>')
    $stream = $request.GetRequestStream()
    $stream.Write($body, 0, $body.Length)
    $stream.Close()
    $answer = $request.GetResponse()
    "Status: $([int]$answer.StatusCode)"
    $answer.Close()
} catch {
    $one = $_.Exception
    while ($one) {
        if ($one.Response) { "Status: $([int]$one.Response.StatusCode)" }
        $native = ''
        if ($one -is [ComponentModel.Win32Exception]) { $native = $one.NativeErrorCode }
        "Exception: $($one.GetType().FullName) | $($one.Message -replace '\s+', ' ') | $native"
        $one = $one.InnerException
    }
}
